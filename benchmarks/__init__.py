"""Speed and memory beside what a user would otherwise run: ratios, since machines differ."""
