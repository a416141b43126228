"""Models, and the inputs that they read: arrays, or images with the views that training takes of them."""
