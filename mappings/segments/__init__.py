"""Who belongs where: what people bought as sums, scores and states, and the conditions that marketers write."""
