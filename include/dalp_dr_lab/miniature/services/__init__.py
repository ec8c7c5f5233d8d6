"""The programs in the image of the miniature DALP. Each is one module; all settings come from the environment."""
