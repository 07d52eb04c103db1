"""What runs in the child process: from sockets to packets, and from packets to what is wanted."""
