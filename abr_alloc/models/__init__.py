"""What plans run: trained models in NumPy, and the formula that labels."""
