"""What will be asked for, and when to order it. Panels of demand in, panels of forecasts out, all series at once."""
