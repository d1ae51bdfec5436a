"""The kit that connectors, bundled or not, are tested with. It ships with the package."""
