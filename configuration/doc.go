// Package configuration reads and validates the application's environment variables: in the container, where entrypoint
// starts the application, before a deployment, and where people read or write the configuration secret. It does no I/O
// and knows neither AWS nor environments.
//
// Reading:
//
//   - ParseSecret reads a configuration secret, a JSON object of strings.
//   - ParseDotenv reads a .env file; ParseFile reads a file that is either.
//   - ParseCredentials reads the secret that RDS manages, from which Database.URL builds DATABASE_URL.
//
// The parsers return Settings: the variables, the line of each, and warnings about what is accepted but may surprise.
// Whatever is not accepted is returned as a *problem.Error with every problem of the text, together with the variables
// that could be read.
//
// Validation: Judge returns the variables that are missing, empty, a placeholder or similar to one, padded, incomplete or not a URL.
// DatabaseHost returns the host of a DATABASE_URL.
//
// Writing: EncodeSecret returns a configuration secret that ParseSecret reads back.
//
// No error or problem quotes a value, nor a part of one: a line that could not be read may contain a password. Settings
// print their keys only. IsSensitive reports which values of a task definition are shown as Mask: all that are not known
// to be harmless.
package configuration
