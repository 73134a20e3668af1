"""The quickstart's spec and data, which `netwright quickstart` copies out of the package."""
