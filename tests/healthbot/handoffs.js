session.sendChannelData('s', { 'tags': JSON.stringify({ type: "Escalate", context: { Topic: "Nurse" } }) });
// ----
session.sendChannelData("s", { tags: JSON.stringify({ type: 'Escalate', context: { "Topic": 'Nurse' }, }, null, 2), })
// ----
session['sendChannelData'](`s`, {['tags']: JSON.stringify({ type: "Escalate", context: { ["Topic"]: `Nurse
and doctor` } })})
// ----
session?.sendChannelData?.('s' + "um", {deliveryMode: 'x', tags: JSON.stringify({type: "Escalate", context: {}})})
// ----
const command = { type: 'Escalate', context: { Topic: 'Nurse', Score: -7, Big: 0x1f, Small: 1e-3, Many: 1_000 } }
const data = { tags: JSON.stringify(command) }
session.sendChannelData('s', data)
// ----
var context = {Topic: 'Nurse'}, unused;
let type = 'Escalate'
session.sendChannelData('s', {tags: JSON.stringify({type, context: context})});
// ----
session.sendChannelData("s", {tags: '{"type":"Escalate","context":{"Topic":"Nurse","Score":7}}'})
// ----
session.sendChannelData('s', {tags: JSON.stringify({type: 'EndConversation'})})
// ----
session.sendChannelData('s', {tags: {type: 'Escalate', context: {Topic: 'Nurse'}}})
// ----
// session.sendChannelData('no', {tags: ''})
/* ' */ if (1) /'\/[/']/.test('');
var half = 4 / 2 / 1; session.sendChannelData(('s'), ({tags: JSON.stringify(({type: 'Escalate', context: ({a: 1})}))}))
// ----
var t = `a${'}' + `${1}`} sent`, u = `\``;
session.sendChannelData('\x73\u{73}\
\163\'', {tags: JSON.stringify({type: 'Escalate', context: {Topic: '\u{1f9d1}\u2028'}})})
// ----
session.sendChannelData('a', {tags: JSON.stringify({type: 'Escalate', context: {Topic: 'A', Topic: 'B'}})});
session.sendChannelData('b', {tags: JSON.stringify({type: 'EndConversation', context: {}})});
// ----
function f() { return /["'`]/.test('x') ? 1 : 2 }
session.sendChannelData('s', {tags: JSON.stringify({type: 'Escalate', context: {'Two words': 1.5, 3: true, n: null}})})
// ----
session.sendChannelData('s', {other: 1}); session.sendChannelData('s', {}); session.sendChannelData('s');
// ----
var n = 9007199254740993;
session.sendChannelData('s', {tags: JSON.stringify({type: 'Escalate', context: {n}})})
// ----
let x = 'a'
let y = 'Nurse'
session.sendChannelData(x, {tags: JSON.stringify({type: 'Escalate', context: {y}})})
// ----
for (let i = 0; i < 1; i++) { if (i >>> 0 !== 1) { session.sendChannelData('s', {tags: JSON.stringify({type: 'Escalate'})}) } }
// ----
let i = 3; i /= 3; i = i++ / 2; let r = [/]/.exec('x'), /[/]"/g];
session.sendChannelData('s', {tags: JSON.stringify({type: 'Escalate', context: {['__proto__']: 'y'}})})
