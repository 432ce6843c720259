"""What the product means, without Flask and without SQL."""
