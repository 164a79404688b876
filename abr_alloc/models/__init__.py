"""Models of joint audio-visual quality (AVQ), their training and their evaluation."""
