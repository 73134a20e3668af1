"""What is told about a whole data set: scores per class, and the samples with the largest losses."""
