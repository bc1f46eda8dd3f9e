// Package environment says what an environment is.
//
// An environment is one file, Pulumi.<stack>.yaml. The file is decoded strictly, completed with defaults and
// validated in one place, whoever asks: the Pulumi program, the deployer and the checks see the same value. Every
// name, domain and tag that AWS will ever show is derived here and nowhere else.
//
// The package knows neither AWS nor Pulumi.
package environment
