"""`docustack --standalone`: everything that the engine needs, on this machine, for as long as a command needs it."""
