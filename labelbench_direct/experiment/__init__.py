"""Experiments as data, trials that survive interruptions, and the engines that run them."""
