package bake

import "math"

// dispersion returns how many times more the errors vary from minute to minute than independent requests would: 1 where they do
// not, 10 where errors come in clusters of about 10. It is Pearson's statistic over the degrees of freedom.
// Source: https://en.wikipedia.org/wiki/Overdispersion
func dispersion(minutes []Minute) float64 {
	requests, errors := totals(minutes)
	usual, sum, busy := share(errors, requests), 0.0, 0
	if usual == 0 || usual == 1 {
		return 1
	}
	for _, m := range minutes {
		if m.Requests > 0 {
			expected := float64(m.Requests) * usual
			sum += (float64(m.Errors) - expected) * (float64(m.Errors) - expected) / (expected * (1 - usual))
			busy++
		}
	}
	return max(1, sum/float64(max(busy-1, 1)))
}

// tail returns the probability of at least failed failures among n requests, where the share of failures is not known exactly but
// was failing to passing before: the upper tail of the beta-binomial distribution. Counts of clusters need not be whole.
// Source: https://en.wikipedia.org/wiki/Beta-binomial_distribution
func tail(failed, n, failing, passing float64) float64 {
	if failed <= 0 || failed <= n*failing/(failing+passing) {
		return 1
	}
	if failed > n {
		return 0
	}
	probability := math.Exp(logChoose(n, failed) + logBeta(failed+failing, n-failed+passing) - logBeta(failing, passing))
	sum := probability
	// Above the mean the terms decrease, so that the rest is negligible once one is.
	for k := failed; k+1 <= n && probability > sum*1e-12; k++ {
		probability *= (n - k) / (k + 1) * (k + failing) / (n - k - 1 + passing)
		sum += probability
	}
	return min(sum, 1)
}

func logChoose(n, k float64) float64 { return logGamma(n+1) - logGamma(k+1) - logGamma(n-k+1) }

func logBeta(a, b float64) float64 { return logGamma(a) + logGamma(b) - logGamma(a+b) }

func logGamma(x float64) float64 {
	value, _ := math.Lgamma(x)
	return value
}
