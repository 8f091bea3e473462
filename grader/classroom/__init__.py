"""Many hand-ins: grading a class, its gradebook, late policy, statistics, similarity and reports."""
