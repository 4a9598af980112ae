"""The capture rig: real remote-control programs over an emulated network, driven by simulated people."""
