"""Tools for developers: set a machine up, and start and stop Belfry and the services that it needs."""
