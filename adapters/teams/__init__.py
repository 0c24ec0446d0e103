"""Microsoft Teams: activities in, activities out, and the app package."""
