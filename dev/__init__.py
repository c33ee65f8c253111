"""Operations: what sets a machine up, and starts and ends the processes Belfry needs around it."""
