// SPDX-License-Identifier: Apache-2.0

// franz-go: AWS_MSK_IAM by itself, OAUTHBEARER with AWS's signer.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-msk-iam-sasl-signer-go/signer"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
)

type fields map[string]any

func answer(f fields) { _ = json.NewEncoder(os.Stdout).Encode(f) }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func mechanism(name string) sasl.Mechanism {
	if name == "OAUTHBEARER" {
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, _, err := signer.GenerateAuthToken(ctx, os.Getenv("AWS_REGION"))
			return oauth.Auth{Token: token}, err
		})
	}
	return aws.ManagedStreamingIAM(func(context.Context) (aws.Auth, error) {
		return aws.Auth{
			AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"),
			SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		}, nil
	})
}

func newClient(name string, more ...kgo.Opt) *kgo.Client {
	pem, err := os.ReadFile(os.Getenv("CA_FILE"))
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(os.Getenv("BOOTSTRAP")),
		kgo.DialTLSConfig(&tls.Config{RootCAs: roots}),
		kgo.SASL(mechanism(name)),
	}, more...)...)
	must(err)
	return client
}

func send(ctx context.Context, client *kgo.Client, value string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	record := &kgo.Record{Topic: os.Getenv("TOPIC"), Value: []byte(value)}
	return client.ProduceSync(ctx, record).FirstErr()
}

func roundtrip(ctx context.Context, name string) {
	client := newClient(name, kgo.ConsumerGroup(os.Getenv("GROUP")), kgo.ConsumeTopics(os.Getenv("TOPIC")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	produced, consumed := []string{}, []string{}
	for i := range 10 {
		value := fmt.Sprintf("%s-%d", os.Getenv("GROUP"), i)
		must(send(ctx, client, value))
		produced = append(produced, value)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for len(consumed) < 10 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { consumed = append(consumed, string(r.Value)) })
	}
	answer(fields{"produced": produced, "consumed": consumed})
}

func forbidden(ctx context.Context, name string) {
	client := newClient(name)
	defer client.Close()
	err := send(ctx, client, "forbidden")
	var kafka *kerr.Error
	switch {
	case err == nil:
		answer(fields{"error": nil})
	case errors.As(err, &kafka):
		answer(fields{"error": kafka.Code, "message": err.Error()})
	default:
		answer(fields{"error": nil, "message": err.Error()})
	}
}

func login(ctx context.Context, name string) {
	client := newClient(name)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err := client.Ping(ctx)
	var kafka *kerr.Error
	switch {
	case err == nil:
		answer(fields{"error": nil})
	case errors.As(err, &kafka):
		answer(fields{"error": kafka.Message, "message": err.Error()})
	default:
		answer(fields{"error": "other", "message": err.Error()})
	}
}

func session(ctx context.Context, name string) {
	seconds, err := strconv.ParseFloat(os.Getenv("SECONDS"), 64)
	must(err)
	client := newClient(name)
	defer client.Close()
	sent, failed := 0, []string{}
	for end := time.Now().Add(time.Duration(seconds * float64(time.Second))); time.Now().Before(end); {
		if err := send(ctx, client, strconv.Itoa(sent)); err != nil {
			failed = append(failed, err.Error())
		} else {
			sent++
		}
		time.Sleep(200 * time.Millisecond)
	}
	answer(fields{"sent": sent, "failed": failed})
}

func main() {
	jobs := map[string]func(context.Context, string){
		"roundtrip": roundtrip, "forbidden": forbidden, "login": login, "session": session,
	}
	jobs[os.Args[2]](context.Background(), os.Args[1])
}
