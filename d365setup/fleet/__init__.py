"""Many environments side by side: the fleet file, waves, and each environment's work in a process of its own."""
