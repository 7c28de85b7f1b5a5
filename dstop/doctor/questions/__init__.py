"""What rules ask of a case: sums, shapes, who failed first, what ran, in which phase, and whose memory it was."""
