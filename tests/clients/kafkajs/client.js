// SPDX-License-Identifier: Apache-2.0
// kafkajs: OAUTHBEARER with AWS's signer.
'use strict';

const fs = require('fs');
const { Kafka, Partitioners, logLevel } = require('kafkajs');
const { generateAuthToken } = require('aws-msk-iam-sasl-signer-js');

const { BOOTSTRAP, CA_FILE, TOPIC, GROUP, SECONDS, AWS_REGION } = process.env;
const [mechanism, job] = process.argv.slice(2);
const records = Array.from({ length: 10 }, (_, i) => `${GROUP}-${i}`);

const kafka = new Kafka({
  clientId: 'kafkajs',
  brokers: [BOOTSTRAP],
  logLevel: logLevel.NOTHING,
  ssl: { ca: [fs.readFileSync(CA_FILE, 'utf-8')] },
  sasl: {
    mechanism: mechanism.toLowerCase(),
    oauthBearerProvider: async () => ({ value: (await generateAuthToken({ region: AWS_REGION })).token }),
  },
});
const newProducer = () => kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
const send = (producer, value) => producer.send({ topic: TOPIC, messages: [{ value }] });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function answer(fields) {
  process.stdout.write(`${JSON.stringify(fields)}\n`, () => process.exit(0));
}

const jobs = {
  async roundtrip() {
    const producer = newProducer();
    await producer.connect();
    for (const record of records) await send(producer, record);
    await producer.disconnect();
    const consumer = kafka.consumer({ groupId: GROUP });
    await consumer.connect();
    await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
    const consumed = [];
    await consumer.run({ eachMessage: async ({ message }) => consumed.push(message.value.toString()) });
    const end = Date.now() + 20000;
    while (consumed.length < 10 && Date.now() < end) await sleep(100);
    answer({ produced: records, consumed });
  },

  async forbidden() {
    const producer = newProducer();
    await producer.connect();
    try {
      await send(producer, 'forbidden');
      answer({ error: null });
    } catch (error) {
      answer({ error: error.code, message: `${error.type} ${error.message}` });
    }
  },

  async login() {
    const producer = newProducer();
    try {
      await producer.connect();
      answer({ error: null });
    } catch (error) {
      answer({ error: error.name, message: error.message });
    }
  },

  async session() {
    const producer = newProducer();
    await producer.connect();
    let sent = 0;
    const failed = [];
    const end = Date.now() + 1000 * SECONDS;
    while (Date.now() < end) {
      try {
        await send(producer, String(sent));
        sent += 1;
      } catch (error) {
        failed.push(`${error.name}: ${error.message}`);
      }
      await sleep(200);
    }
    answer({ sent, failed });
  },
};

jobs[job]().catch((error) => {
  console.error(error);
  process.exit(1);
});
