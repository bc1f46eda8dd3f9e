package checks

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestForeignDatabase(t *testing.T) {
	env := loaded(t, "staging")
	for value, want := range map[string]string{
		"postgresql://u:hunter2@v3-backend-production-db.x.us-east-1.rds.amazonaws.com:5432/b":       "the database of production",
		"postgresql://u:hunter2@V3-Backend-Production-DB.x.us-east-1.rds.amazonaws.com/b":            "the database of production",
		"postgresql:///b?host=v3-backend-production-db.x.us-east-1.rds.amazonaws.com":                "the database of production",
		"postgresql:///b?host=v3-backend-production%2Ddb.x.us-east-1.rds.amazonaws.com":              "the database of production",
		"postgresql://localhost:5432,v3-backend-development-db.x.us-east-1.rds.amazonaws.com:5432/b": "the database of development",
		"host=v3-backend-production-db.x.us-east-1.rds.amazonaws.com dbname=b":                       "the database of production",
		"v3-backend-production-db.x.us-east-1.rds.amazonaws.com":                                     "the database of production",
		"postgresql://u@v3-backend-staging-two-db.x.us-east-1.rds.amazonaws.com/b":                   "the database of staging-two",
		"postgresql://u:hunter2@v3-backend-production-proxy.proxy-x.us-east-1.rds.amazonaws.com/b":   "v3-backend-production-proxy, which has another environment's name",
		"postgresql://u:hunter2@v3-backend-staging-db.x.us-east-1.rds.amazonaws.com/b":               "",
		"postgresql://u:hunter2@v3-backend-staging-db-restored.x.us-east-1.rds.amazonaws.com/b":      "",
		"postgresql://u:hunter2@v3-backend-staging-proxy.proxy-x.us-east-1.rds.amazonaws.com/b":      "",
		"postgresql://u:hunter2@another-user.x.us-east-1.rds.amazonaws.com/b":                        "",
		"postgresql://u:v3-backend-production-db@localhost/b":                                        "", "https://api.example.com": "", "": "",
	} {
		what, foreign := foreignDatabase(env, value)
		require.Equal(t, want, what, value)
		require.Equal(t, want != "", foreign, value)
	}
}

func TestForeignSecret(t *testing.T) {
	env := loaded(t, "staging")
	for secret, want := range map[string]bool{
		"balancer-production-config-AbCdEf": true, "balancer-production-config": true, "balancer-staging-two-config-AbCdEf": true,
		"balancer-staging-config-AbCdEf": false, "balancer-staging-config": false, "balancer-production-configuration": false,
		"balancer-config-AbCdEf": false, "other": false, "": false,
	} {
		require.Equal(t, want, foreignSecret(env, secret), secret)
	}
}
