"""What is known of ImageNet itself: WordNet, the development kits, published counts and checksums."""
