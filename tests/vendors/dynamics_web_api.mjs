// Checks of npm `dynamics-web-api` against an emulator. `node dynamics_web_api.mjs NAME` runs one and prints its name.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { DynamicsWebApi } = createRequire(`${process.env.VENDORS}/package.json`)("dynamics-web-api");
const checks = new Map();
const check = (name, run) => checks.set(name, run);

const connect = (config = {}) =>
  new DynamicsWebApi({
    serverUrl: process.env.URL,
    dataApi: { version: "9.2" },
    onTokenRefresh: async () => process.env.TOKEN,
    timeout: 30000,
    ...config,
  });

const NOBODY = "00000000-0000-4000-8000-00000000dead";
const refused = async (act, status, code, message) => {
  await assert.rejects(act, (error) => {
    assert.equal(error.status, status, error.message);
    if (code !== undefined) assert.equal(error.code, code, error.message);
    if (message) assert.match(error.message, message);
    return true;
  });
};
const desk = (api, name, more = {}) => api.create({ collection: "queues", data: { name, queueviewtype: 1, ...more } });
const first = async (api, collection, select) =>
  (await api.retrieveMultiple({ collection, select, top: 1 })).value[0];

check("create, retrieve, update, delete", async () => {
  const api = connect();
  const key = await desk(api, "Night desk");
  assert.match(key, /^[0-9a-f-]{36}$/);
  const row = await api.retrieve({ collection: "queues", key, select: ["name"], includeAnnotations: "*" });
  assert.equal(row.name, "Night desk");
  assert.equal(await api.update({ collection: "queues", key, data: { description: "Fünf bis sechs" } }), true);
  const changed = await api.retrieve({ collection: "queues", key, select: ["description"] });
  assert.equal(changed.description, "Fünf bis sechs");
  assert.equal(await api.deleteRecord({ collection: "queues", key }), true);
  await refused(api.retrieve({ collection: "queues", key }), 404, "0x80040217");
});

check("rows come back from writes", async () => {
  const api = connect({ returnRepresentation: true });
  const made = await api.create({ collection: "queues", data: { name: "A desk" }, select: ["name"] });
  assert.equal(made.name, "A desk");
  const changed = await api.update({ collection: "queues", key: made.queueid, data: { name: "B desk" }, select: ["name"] });
  assert.equal(changed.name, "B desk");
});

check("annotations become fields", async () => {
  const api = connect();
  const key = await desk(api, "A desk", { msdyn_queuetype: 192350002 });
  const row = await api.retrieve({ collection: "queues", key, includeAnnotations: "*" });
  assert.equal(row.msdyn_queuetype_Formatted, "Voice");
  assert.equal(row._ownerid_value_LogicalName, "systemuser");
  assert.ok(row.createdon instanceof Date);
});

check("a single column", async () => {
  const api = connect();
  const key = await desk(api, "A desk");
  await api.updateSingleProperty({ collection: "queues", key, fieldValuePair: { description: "by itself" } });
  const row = await api.retrieve({ collection: "queues", key: `${key}`, select: ["description"] });
  assert.equal(row.description, "by itself");
  assert.equal(await api.retrieve({ collection: "queues", key, navigationProperty: "name" }).then((r) => r.value), "A desk");
  await api.deleteRecord({ collection: "queues", key, property: "description" });
  assert.equal((await api.retrieve({ collection: "queues", key, select: ["description"] })).description, null);
});

check("optimistic concurrency", async () => {
  const api = connect();
  const key = await desk(api, "A desk");
  const row = await api.retrieve({ collection: "queues", key, select: ["name"] });
  const etag = row["@odata.etag"];
  assert.equal(await api.update({ collection: "queues", key, data: { name: "B desk" }, ifmatch: etag }), true);
  assert.equal(await api.update({ collection: "queues", key, data: { name: "C desk" }, ifmatch: etag }), false);
  assert.equal(await api.deleteRecord({ collection: "queues", key, ifmatch: etag }), false);
  assert.equal(await api.retrieve({ collection: "queues", key, select: ["name"], ifnonematch: "W/\"1\"" }).then((r) => r.name), "B desk");
  const now = (await api.retrieve({ collection: "queues", key, select: ["name"] }))["@odata.etag"];
  assert.equal(await api.retrieve({ collection: "queues", key, ifnonematch: now }), undefined);
  await refused(api.update({ collection: "queues", key: NOBODY, data: { name: "x" } }), 404, "0x80040217");
});

check("upsert", async () => {
  const api = connect();
  const key = "00000000-0000-4000-8000-0000000000aa";
  assert.equal(await api.upsert({ collection: "queues", key, data: { name: "New" }, ifmatch: "*" }), null);
  assert.equal(await api.upsert({ collection: "queues", key, data: { name: "New" } }), key);
  assert.equal(await api.upsert({ collection: "queues", key, data: { name: "Newer" }, ifnonematch: "*" }), null);
  assert.equal((await api.retrieve({ collection: "queues", key })).name, "New");
  await api.upsert({ collection: "queues", key, data: { name: "Newer" } });
  assert.equal((await api.retrieve({ collection: "queues", key })).name, "Newer");
});

check("filter, order, top and count", async () => {
  const api = connect();
  for (const number of [3, 1, 2]) await desk(api, `Desk ${number}`);
  const found = await api.retrieveMultiple({
    collection: "queues",
    select: ["name"],
    filter: "startswith(name,'Desk ') and name ne 'Desk 2'",
    orderBy: ["name desc"],
    count: true,
  });
  assert.deepEqual(found.value.map((row) => row.name), ["Desk 3", "Desk 1"]);
  assert.equal(found.oDataCount, 2);
  const top = await api.retrieveMultiple({ collection: "queues", orderBy: ["name"], filter: "startswith(name,'Desk ')", top: 1 });
  assert.deepEqual(top.value.map((row) => row.name), ["Desk 1"]);
  assert.equal(await api.count({ collection: "queues", filter: "startswith(name,'Desk ')" }), 3);
  assert.ok((await api.count({ collection: "queues" })) >= 3);
  assert.equal(await api.countAll({ collection: "queues", filter: "startswith(name,'Desk ')", select: ["name"] }), 3);
});

check("paging", async () => {
  const api = connect();
  for (let number = 0; number < 5; number += 1) await desk(api, `Desk ${number}`);
  const request = { collection: "queues", select: ["name"], filter: "startswith(name,'Desk ')", orderBy: ["name"], maxPageSize: 2 };
  const page = await api.retrieveMultiple(request);
  assert.deepEqual(page.value.map((row) => row.name), ["Desk 0", "Desk 1"]);
  const next = await api.retrieveMultiple(request, page.oDataNextLink);
  assert.deepEqual(next.value.map((row) => row.name), ["Desk 2", "Desk 3"]);
  const all = await api.retrieveAll(request);
  assert.deepEqual(all.value.map((row) => row.name), ["Desk 0", "Desk 1", "Desk 2", "Desk 3", "Desk 4"]);
});

check("a long address travels in a batch", async () => {
  const api = connect();
  await desk(api, "Desk 1");
  const filter = Array.from({ length: 90 }, (_, number) => `name eq 'Desk with a long name ${number}'`).join(" or ");
  const found = await api.retrieveMultiple({ collection: "queues", select: ["name"], filter: `${filter} or name eq 'Desk 1'` });
  assert.deepEqual(found.value.map((row) => row.name), ["Desk 1"]);
});

check("expand and lookups", async () => {
  const api = connect();
  const queue = await desk(api, "Fallback");
  const stream = await first(api, "msdyn_liveworkstreams", ["msdyn_liveworkstreamid"]);
  const key = stream.msdyn_liveworkstreamid;
  await api.associateSingleValued({
    collection: "msdyn_liveworkstreams",
    primaryKey: key,
    navigationProperty: "msdyn_defaultqueue",
    relatedCollection: "queues",
    relatedKey: queue,
  });
  const expand = [{ property: "msdyn_defaultqueue", select: ["name"] }];
  const row = await api.retrieve({ collection: "msdyn_liveworkstreams", key, expand });
  assert.equal(row.msdyn_defaultqueue.name, "Fallback");
  await api.disassociateSingleValued({ collection: "msdyn_liveworkstreams", primaryKey: key, navigationProperty: "msdyn_defaultqueue" });
  assert.equal((await api.retrieve({ collection: "msdyn_liveworkstreams", key, expand })).msdyn_defaultqueue, null);
  await api.update({ collection: "msdyn_liveworkstreams", key, data: { "msdyn_defaultqueue@odata.bind": `queues(${queue})` } });
  assert.equal((await api.retrieve({ collection: "msdyn_liveworkstreams", key, expand })).msdyn_defaultqueue.name, "Fallback");
});

check("associate and disassociate", async () => {
  const api = connect();
  const primaryKey = await desk(api, "A desk");
  const { value: users } = await api.retrieveMultiple({ collection: "systemusers", select: ["systemuserid"], filter: "applicationid eq null", top: 1 });
  const relatedKey = users[0].systemuserid;
  const link = { collection: "queues", primaryKey, relationshipName: "queuemembership_association", relatedCollection: "systemusers", relatedKey };
  const members = () =>
    api.retrieveMultiple({ collection: `queues(${primaryKey})/queuemembership_association`, select: ["systemuserid"] });
  await api.associate(link);
  assert.deepEqual((await members()).value.map((row) => row.systemuserid), [relatedKey]);
  await api.disassociate(link);
  assert.deepEqual((await members()).value, []);
});

check("batch", async () => {
  const api = connect();
  const key = await desk(api, "Old desk");
  api.startBatch();
  api.retrieve({ collection: "queues", key, select: ["name"] });
  api.create({ collection: "queues", data: { name: "New desk" } });
  api.update({ collection: "queues", key, data: { description: "moved" } });
  api.count({ collection: "queues" });
  api.deleteRecord({ collection: "queues", key });
  const [read, made, updated, count, deleted] = await api.executeBatch();
  assert.equal(read.name, "Old desk");
  assert.match(made, /^[0-9a-f-]{36}$/);
  assert.equal(updated, true);
  assert.ok(count >= 2);
  assert.equal(deleted, undefined);
  assert.equal((await api.retrieve({ collection: "queues", key: made })).name, "New desk");
});

check("a change set with references", async () => {
  const api = connect();
  const stream = await first(api, "msdyn_liveworkstreams", ["msdyn_liveworkstreamid"]);
  const { value: users } = await api.retrieveMultiple({ collection: "systemusers", select: ["systemuserid"], filter: "applicationid eq null", top: 1 });
  api.startBatch();
  api.create({ collection: "queues", data: { name: "Fallback" }, contentId: "1" });
  api.update({ collection: "msdyn_liveworkstreams", key: stream.msdyn_liveworkstreamid, data: { "msdyn_defaultqueue@odata.bind": "$1" } });
  api.associate({
    collection: "$1",
    relationshipName: "queuemembership_association",
    relatedCollection: "systemusers",
    relatedKey: users[0].systemuserid,
    contentId: "3",
  });
  const [queue] = await api.executeBatch();
  const row = await api.retrieve({
    collection: "queues",
    key: queue,
    select: ["name"],
    expand: [{ property: "queuemembership_association", select: ["systemuserid"] }],
  });
  assert.equal(row.queuemembership_association.length, 1);
  const bound = await api.retrieve({ collection: "msdyn_liveworkstreams", key: stream.msdyn_liveworkstreamid, expand: [{ property: "msdyn_defaultqueue" }] });
  assert.equal(bound.msdyn_defaultqueue.queueid, queue);
});

check("a change set is all or nothing", async () => {
  const api = connect();
  api.startBatch();
  api.create({ collection: "queues", data: { name: "Half a thing" } });
  api.update({ collection: "queues", key: NOBODY, data: { name: "x" } });
  await assert.rejects(api.executeBatch(), ([answer]) => {
    assert.equal(answer.status, 404);
    assert.equal(answer.error.code, "0x80040217");
    return true;
  });
  assert.equal(await api.count({ collection: "queues", filter: "name eq 'Half a thing'" }), 0);
});

check("going on after an error", async () => {
  const api = connect();
  api.startBatch();
  api.create({ collection: "queues", data: { name: "Before" }, inChangeSet: false });
  api.create({ collection: "queues", data: { name: "x".repeat(201) }, inChangeSet: false });
  api.create({ collection: "queues", data: { name: "After" }, inChangeSet: false });
  const [before, between, after] = await api.executeBatch({ continueOnError: true });
  assert.match(before, /^[0-9a-f-]{36}$/);
  assert.equal(between.error.code, "0x80044331");
  assert.match(after, /^[0-9a-f-]{36}$/);
  assert.equal(await api.count({ collection: "queues", filter: "name eq 'Before' or name eq 'After'" }), 2);
});

check("errors carry the service's code", async () => {
  const api = connect();
  await refused(desk(api, "x".repeat(201)), 400, "0x80044331", /maximum allowed length/);
  await refused(desk(api, "x", { queueviewtype: 7 }), 400, "0x8004431a");
  await refused(desk(api, "x", { nope: 1 }), 400, "0x80048d19");
  await refused(api.retrieve({ collection: "nopes", key: NOBODY }), 404, "0x80060888");
  await refused(api.retrieveMultiple({ collection: "queues", filter: "nope eq 1" }), 400, "0x80060888");
  await refused(connect({ onTokenRefresh: async () => "made-up" }).retrieveMultiple({ collection: "queues" }), 401);
});

check("table names instead of set names", async () => {
  const api = connect({ useEntityNames: true });
  const key = await api.create({ collection: "queue", data: { name: "A desk" } });
  assert.equal((await api.retrieve({ collection: "queue", key })).name, "A desk");
  assert.equal(api.Utility.getCollectionName("msdyn_agentstatus"), "msdyn_agentstatuses");
});

check("functions and actions", async () => {
  const api = connect();
  const me = await api.callFunction("WhoAmI");
  assert.match(me.UserId, /^[0-9a-f-]{36}$/);
  assert.match((await api.callFunction({ name: "RetrieveVersion" })).Version, /^9\.2\./);
  const parameters = { AccessType: "Microsoft.Dynamics.CRM.EndpointAccessType'Default'" };
  assert.equal((await api.callFunction({ name: "RetrieveCurrentOrganization", parameters })).Detail.OrganizationId, me.OrganizationId);
  const key = await desk(api, "A desk");
  const Principal = { "@odata.type": "Microsoft.Dynamics.CRM.systemuser", systemuserid: me.UserId };
  await api.callAction({ collection: "queues", key, actionName: "Microsoft.Dynamics.CRM.AddPrincipalToQueue", action: { Principal } });
  const members = await api.retrieveMultiple({ collection: `queues(${key})/queuemembership_association` });
  assert.deepEqual(members.value.map((row) => row.systemuserid), [me.UserId]);
  assert.equal(await api.callAction({ actionName: "PublishAllXml" }), undefined);
});

check("tables", async () => {
  const api = connect();
  const all = await api.retrieveEntities({ select: ["LogicalName", "EntitySetName"], filter: "OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned'" });
  assert.ok(all.value.some((row) => row.EntitySetName === "msdyn_livechatconfigs"));
  const queue = await api.retrieveEntity({ key: "LogicalName='queue'", select: ["LogicalName"], expand: [{ property: "Keys" }, { property: "Attributes", select: ["LogicalName"] }] });
  assert.ok(queue.Attributes.some((row) => row.LogicalName === "msdyn_priority"));
  assert.equal((await api.retrieveEntity({ key: queue.MetadataId })).EntitySetName, "queues");
  await refused(api.retrieveEntity({ key: "LogicalName='nope'" }), 404, "0x80040217");
});

check("columns", async () => {
  const api = connect();
  const entityKey = "LogicalName='queue'";
  const castType = "Microsoft.Dynamics.CRM.PicklistAttributeMetadata";
  const choices = await api.retrieveAttributes({ entityKey, castType, select: ["LogicalName"], expand: [{ property: "OptionSet", select: ["Options"] }] });
  const type = choices.value.find((row) => row.LogicalName === "msdyn_queuetype");
  assert.ok(type.OptionSet.Options.some((option) => option.Label.UserLocalizedLabel.Label === "Voice"));
  const name = await api.retrieveAttribute({ entityKey, attributeKey: "LogicalName='name'", castType: "Microsoft.Dynamics.CRM.StringAttributeMetadata", select: ["MaxLength"] });
  assert.equal(name.MaxLength, 200);
  const secured = await api.retrieveAttributes({ entityKey: "LogicalName='msdyn_liveworkstream'", filter: "IsSecured eq true" });
  assert.deepEqual(secured.value.map((row) => row.LogicalName), ["msdyn_secureapikey"]);
});

check("relationships and global choices", async () => {
  const api = connect();
  const castType = "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata";
  const many = await api.retrieveRelationships({ castType, select: ["SchemaName", "IntersectEntityName"] });
  const members = many.value.find((row) => row.SchemaName === "queuemembership_association");
  assert.equal(members.IntersectEntityName, "queuemembership");
  const one = await api.retrieveRelationship({ key: members.MetadataId, castType });
  assert.equal(one.Entity1LogicalName, "queue");
  const sets = await api.retrieveGlobalOptionSets({ select: ["Name"] });
  assert.ok(sets.value.some((row) => row.Name === "msdyn_streamsource"));
  const set = await api.retrieveGlobalOptionSet({ key: "Name='componentstate'", castType: "Microsoft.Dynamics.CRM.OptionSetMetadata", select: ["Options"] });
  assert.equal(set.Options.length, 4);
});

check("the metadata document", async () => {
  const plain = await connect().retrieveCsdlMetadata();
  assert.match(plain, /<edmx:Edmx Version="4.0"/);
  assert.ok(!plain.includes("V1.Description"));
  assert.match(await connect().retrieveCsdlMetadata({ addAnnotations: true }), /V1\.Description/);
});

// what follows needs deep inserts, keys, aggregates and FetchXML

check("a row with its related rows", async () => {
  const api = connect();
  const key = await api.create({ collection: "queues", data: { name: "Fallback", msdyn_liveworkstream_defaultqueue_Queue: [{ msdyn_name: "A stream" }] } });
  const navigationProperty = "msdyn_liveworkstream_defaultqueue_Queue";  // as part of a collection's name it would be lowered
  const found = await api.retrieve({ collection: "queues", key, navigationProperty, select: ["msdyn_name"] });
  assert.deepEqual(found.value.map((row) => row.msdyn_name), ["A stream"]);
});

check("upsert by key", async () => {
  const api = connect();
  const key = "azureactivedirectoryobjectid=00000000-0000-4000-8000-00000000aaaa,membershiptype=0";
  const unit = await first(api, "businessunits", ["businessunitid"]);
  const bind = { "businessunitid@odata.bind": `businessunits(${unit.businessunitid})`, teamtype: 2 };
  await api.upsert({ collection: "teams", key, data: { name: "Nurses", ...bind } });
  await api.upsert({ collection: "teams", key, data: { name: "Night nurses" } });
  assert.equal((await api.retrieve({ collection: "teams", key, select: ["name"] })).name, "Night nurses");
  await api.deleteRecord({ collection: "teams", key });
  await refused(api.retrieve({ collection: "teams", key }), 404, "0x80060891");
});

check("aggregates", async () => {
  const api = connect();
  await desk(api, "Desk 1", { msdyn_priority: 3 });
  await desk(api, "Desk 2", { msdyn_priority: 4 });
  const apply = "filter(startswith(name,'Desk '))/groupby((queueviewtype),aggregate(msdyn_priority with sum as total,$count as many))";
  const found = await api.retrieveMultiple({ collection: "queues", apply });
  assert.deepEqual(found.value.map((row) => [row.queueviewtype, row.total, row.many]), [[1, 7, 2]]);
});

check("FetchXML in pages", async () => {
  const api = connect();
  for (const number of [1, 2, 3]) await desk(api, `Desk ${number}`);
  const fetchXml =
    '<fetch count="2"><entity name="queue"><attribute name="name"/><order attribute="name"/>' +
    '<filter><condition attribute="name" operator="like" value="Desk %"/></filter></entity></fetch>';
  const page = await api.fetch({ collection: "queues", fetchXml, includeAnnotations: "*" });
  assert.deepEqual(page.value.map((row) => row.name), ["Desk 1", "Desk 2"]);
  const all = await api.fetchAll({ collection: "queues", fetchXml, includeAnnotations: "*" });
  assert.deepEqual(all.value.map((row) => row.name), ["Desk 1", "Desk 2", "Desk 3"]);
});

// every call that is refused on purpose

check("refused: changes of tables", async () => {
  const api = connect();
  const entityKey = "LogicalName='queue'";
  const data = { MetadataId: NOBODY, SchemaName: "new_Desk", "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata" };
  const text = /does not serve changes of metadata/;
  const calls = {
    createEntity: () => api.createEntity({ data }),
    updateEntity: () => api.updateEntity({ data }),
    createAttribute: () => api.createAttribute({ entityKey: NOBODY, data: { ...data, "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata" } }),
    updateAttribute: () => api.updateAttribute({ entityKey: NOBODY, data: { ...data, "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata" } }),
    createRelationship: () => api.createRelationship({ data }),
    updateRelationship: () => api.updateRelationship({ data }),
    deleteRelationship: () => api.deleteRelationship({ key: NOBODY }),
    createGlobalOptionSet: () => api.createGlobalOptionSet({ data }),
    updateGlobalOptionSet: () => api.updateGlobalOptionSet({ data }),
    deleteGlobalOptionSet: () => api.deleteGlobalOptionSet({ key: NOBODY }),
  };
  for (const call of Object.values(calls)) await refused(call(), 501, "0x80060888", text);
  assert.equal((await api.retrieveEntity({ key: entityKey })).LogicalName, "queue");
});

check("refused: files, search, saved views, work in the background", async () => {
  const api = connect();
  const key = await desk(api, "A desk");
  await refused(api.uploadFile({ collection: "queues", key, property: "name", fileName: "a.txt", data: Buffer.from("a") }), 405);
  await refused(api.downloadFile({ collection: "queues", key, property: "nope" }), 404, "0x80060888");
  for (const call of ["query", "suggest", "autocomplete"]) await refused(api[call]({ query: { search: "desk" } }), 404);
  await refused(api.retrieve({ collection: "queues", key, savedQuery: NOBODY }), 501);
  await refused(api.getBackgroundOperationStatus(NOBODY), 404);
  await refused(api.cancelBackgroundOperation(NOBODY), 404);
});

check("every call is either shown to work or named as refused", async () => {
  const known =
    "autocomplete associate associateSingleValued callAction callFunction cancelBackgroundOperation count countAll create " +
    "createAttribute createEntity createGlobalOptionSet createRelationship deleteGlobalOptionSet deleteRecord " +
    "deleteRelationship disassociate disassociateSingleValued downloadFile executeBatch fetch fetchAll " +
    "getBackgroundOperationStatus initializeInstance query retrieve retrieveAll retrieveAttribute retrieveAttributes " +
    "retrieveCsdlMetadata retrieveEntities retrieveEntity retrieveGlobalOptionSet retrieveGlobalOptionSets " +
    "retrieveMultiple retrieveRelationship retrieveRelationships search setConfig startBatch suggest update " +
    "updateAttribute updateEntity updateGlobalOptionSet updateRelationship updateSingleProperty uploadFile upsert";
  const api = connect();
  const calls = Object.keys(api).filter((name) => typeof api[name] === "function");
  assert.deepEqual(calls.sort(), known.split(" ").sort());
});

const [name] = process.argv.slice(2);
await checks.get(name)();
process.stdout.write(JSON.stringify({ passed: name }));
process.exit(0);
