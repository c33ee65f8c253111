"""Exit codes of Belfry's processes."""

EXIT_UNUSABLE = 2  # the settings do not allow a start; stderr says why
