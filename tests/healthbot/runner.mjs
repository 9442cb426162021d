// Runs scripts of scenarios with a session that records what is sent. One question a line, one answer a line.
import { createInterface } from "node:readline";
import vm from "node:vm";

// The Health Bot turns the call into a message activity with these channel data, and sends it as JSON.
function sent(script) {
  const found = [];
  const session = {
    sendChannelData: (text, channelData) => found.push({ type: "message", text, channelData }),
  };
  vm.runInNewContext(`(function (session) {${script}\n})`, { JSON })(session);
  return found;
}

function compiles(text) {
  try {
    new vm.Script(text);
    return true;
  } catch (error) {
    if (error.name === "SyntaxError") return false;
    throw error;
  }
}

const answers = {
  run: sent,
  value: (expression) => vm.runInNewContext(`(${expression}\n)`),
  program: (text) => compiles(text) || compiles(`(${text}\n)`) || compiles(`async function* f() { return (${text}\n) }`),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [[kind, given]] = Object.entries(JSON.parse(line));
  let told;
  try {
    told = { answer: answers[kind](given) };
  } catch (error) {
    told = { broken: `${error}` };
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
