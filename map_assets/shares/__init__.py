"""What lands on the shares: scanning, "has it stopped changing", grouping into sessions, quarantine. Reading files lives in other rooms."""
