"""From a failure to text a student can act on: the sentence, the call, the known mistake, the smallest input."""
