"""What can be done: every fix the doctor knows, how it is written for each framework, and what it recovers."""
