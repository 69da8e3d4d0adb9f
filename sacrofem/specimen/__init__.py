"""The one room that knows both a case and the physics."""
