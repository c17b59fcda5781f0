"""The settings: Jitsu's configuration file, the environment and the command line."""
