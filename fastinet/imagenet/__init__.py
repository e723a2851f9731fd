"""What is known about ImageNet: names, WordNet, the development kits, published counts and checksums."""
