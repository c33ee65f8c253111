"""The few mechanisms that belong to no room: forms of settings, and what several rooms share."""
