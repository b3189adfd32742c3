"""Where credentials come from: AccessKeys that are given, and services that hand out temporary ones and renew them."""
