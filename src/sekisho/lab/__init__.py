"""The lab: attackers, strangers and honest customers played against the real engine, and what two policies come to."""
