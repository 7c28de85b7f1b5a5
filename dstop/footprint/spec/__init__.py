"""What is asked: a model, a phase, a layout and the settings that decide about memory."""
