// Package configuration holds the rules by which the application's variables are read and judged, wherever that happens:
// in the container, where entrypoint starts the application, before a deployment, and where people look at or write
// the configuration secret. It does no I/O and knows neither AWS nor environments.
//
// What is read:
//
//   - ParseSecret reads a configuration secret, a JSON object of strings.
//   - ParseDotenv reads a .env file; ParseFile reads whichever of both a file holds.
//   - ParseCredentials reads the secret that RDS manages, and Database.URL builds DATABASE_URL from it.
//
// All of them return Settings: the variables, the line of each, and warnings about what is accepted but may surprise.
// What is not accepted comes as an InvalidError with every Fault of the text, each with its line and key; beside it stands
// what could be read.
//
// What is judged: Judge says which variables are missing, empty, a placeholder, padded or no URL; DatabaseHost where a
// DATABASE_URL leads to, for those who know whose database that is.
//
// What is written: EncodeSecret writes a configuration secret that ParseSecret reads back.
//
// No error, fault or problem quotes a value, nor any part of one: a line that could not be read may hold a password.
// Settings print their keys only. IsSensitive says which values of a task definition are to be shown as Mask: all that are
// not known to be harmless.
package configuration
