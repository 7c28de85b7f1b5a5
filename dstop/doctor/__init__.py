"""What is wrong, and why: diagnoses of failures, and the state of the machine before there is one."""
