package checks

// Aggregate counts findings and derives the status of the whole. The precedence is error, warning, unknown, healthy: a known
// problem outranks one that could not be determined. Without findings the status is unknown.
func Aggregate(findings []Finding) Summary {
	var s Summary
	for _, f := range findings {
		switch f.Status {
		case Healthy:
			s.Healthy++
		case Warning:
			s.Warning++
		case Error:
			s.Error++
		default:
			s.Unknown++
		}
	}
	s.Total = len(findings)
	switch {
	case s.Error > 0:
		s.Status = Error
	case s.Warning > 0:
		s.Status = Warning
	case s.Unknown > 0 || s.Total == 0:
		s.Status = Unknown
	default:
		s.Status = Healthy
	}
	return s
}
