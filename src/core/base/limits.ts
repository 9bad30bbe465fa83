/**
 * Every limit that bounds what outside input can cost, by name and unit. The relations between
 * them are asserted in `test/core/base/limits.test.ts`.
 */

// Faults
/** A fault quotes its input; a longer message is cut here. */
export const FAULT_MESSAGE_CHARS_MAX: number = 1_000;

// Formats
export const CBOR_DEPTH_MAX: number = 16;
export const CBOR_ITEMS_MAX: number = 65_536;
export const MANIFEST_BYTES_MAX: number = 64 * 1024;
export const SIGNATURES_MAX: number = 8;
export const SIGNATURE_BLOCK_BYTES_MAX: number = 512;
/** A block with a signature of ML-DSA-65 (3,309 bytes); a block of Ed25519 is never that large. */
export const ML_DSA_BLOCK_BYTES_MAX: number = 3584;
/** Of the signatures of a bundle, so that the manifest keeps room for what is signed. */
export const ML_DSA_SIGNATURES_MAX: number = 4;
export const ROOT_BYTES_MAX: number = 64 * 1024;
/** Of each role, current and retired ones counted apart. */
export const ROOT_KEYS_MAX: number = 64;
/** A step from one root to the next carries the signatures of both. */
export const ROOT_SIGNATURES_MAX: number = 16;
/** Roots that a device walks at once; one that is further behind walks twice. */
export const ROOT_CHAIN_MAX: number = 1_024;
export const REVOCATION_BYTES_MAX: number = 256 * 1024;
export const REVOKED_KEYS_MAX: number = 256;
export const REVOKED_MANIFESTS_MAX: number = 2_048;
export const REVOCATION_MINIMUMS_MAX: number = 1_024;
export const KEY_FILE_BYTES_MAX: number = 4096;
/** A detached signature of ML-DSA-65 in base64 with line ends. */
export const SIGNATURE_FILE_BYTES_MAX: number = 4608;
export const PASSPHRASE_BYTES_MIN: number = 8;
/** Of OpenSSL's own prompt too (PEM_BUFSIZE). */
export const PASSPHRASE_BYTES_MAX: number = 1024;
/** Rounds that an encrypted key file may ask for: some five seconds. */
export const KEY_KDF_ITERATIONS_MAX: number = 10_000_000;

// Bundles
export const BUNDLE_FILES_MAX: number = 32;
export const BUNDLE_FILE_BYTES_MAX: number = 2 ** 31;
/** What a device holds in memory of one bundle's payloads; larger ones verify but do not run. */
export const PAYLOAD_IN_MEMORY_BYTES_MAX: number = 512 * 1024 * 1024;
export const GUARD_POLICY_BYTES_MAX: number = 16 * 1024 * 1024;
export const HASH_CHUNK_BYTES: number = 256 * 1024;
/** A piece that is read while the one before it is hashed: the hand-over must not count. */
export const AHEAD_CHUNK_BYTES: number = 1024 * 1024;
/** An evaluation that a bundle carries: a device fetches and keeps it with the model. */
export const EVIDENCE_BYTES_MAX: number = 1024 * 1024;
export const METADATA_JSON_BYTES_MAX: number = 256 * 1024;

// Golden vectors
export const GOLDEN_BYTES_MAX: number = 16 * 1024 * 1024;
export const GOLDEN_VECTORS_MAX: number = 8;
/** What a packer aims at: models with large inputs get fewer vectors, and at least one. */
export const GOLDEN_PACKED_BYTES: number = 1024 * 1024;
/** Golden runs at boot: they also give the JIT compiler time. */
export const GOLDEN_BOOT_RUNS: number = 20;
/** Every vector runs at boot; those beyond only while boot has taken no longer for them. */
export const GOLDEN_WARM_MS_MAX: number = 100;
/** While running, one golden vector is run so often. */
export const CANARY_PERIOD_MS: number = 60_000;

// Files at rest
/** `fsverity measure` asks the kernel for a digest that it has already. */
export const VERITY_MEASURE_DEADLINE_MS: number = 10_000;
/** `fsverity enable` reads the whole file. */
export const VERITY_ENABLE_DEADLINE_MS: number = 300_000;
/** Share of one core that the scrubber takes. */
export const SCRUB_PERCENT: number = 1;
/** Read and hashed at once: it holds the event loop, so a frame may wait for it. */
export const SCRUB_SLICE_BYTES: number = 64 * 1024;
/** From the end of one pass of the scrubber to the start of the next. */
export const SCRUB_PAUSE_MS: number = 3_600_000;

// Tensors and models
export const TENSOR_RANK_MAX: number = 8;
export const TENSOR_BYTES_MAX: number = 256 * 1024 * 1024;
export const TENSOR_ELEMENTS_MAX: number = 2 ** 26;
export const TENSOR_NAME_CHARS_MAX: number = 128;
export const MODEL_PORTS_MAX: number = 32;
export const ONNX_NODES_MAX: number = 20_000;
/** Names of values, tensors and attributes in all graphs of a model together. */
export const ONNX_NAMES_MAX: number = 400_000;
export const ONNX_NAME_BYTES_MAX: number = 4096;
/** Graphs inside graphs (bodies of Loop, If and Scan). */
export const ONNX_DEPTH_MAX: number = 8;
export const NPY_HEADER_BYTES_MAX: number = 4096;
/** Data sets for calibration are read whole. */
export const NPY_FILE_BYTES_MAX: number = 1024 * 1024 * 1024;

// Inference
export const RUN_DEADLINE_MS: number = 1_000;
export const SESSION_DEADLINE_MS: number = 30_000;
export const DEADLINE_MS_MAX: number = 600_000;
export const RESPAWNS_MAX: number = 3;
export const RESPAWN_WINDOW_MS: number = 60_000;
export const WASM_PAGES_MAX: number = 65_536;
export const BATCH_MAX: number = 1_024;
/** Runs that wait behind the one in the worker. */
export const RUNS_WAITING_MAX: number = 16;
/** Memory shared with the worker for the tensors of one run; what does not fit is posted. */
export const RUN_BLOCK_BYTES: number = 4 * 1024 * 1024;
/** How long a worker looks for the next run, and an engine for an answer, before they sleep. */
export const LOOK_US: number = 300;
/** Times that neither looks, after looks that were in vain. */
export const LOOKS_SKIPPED_MAX: number = 256;
/** JavaScript memory of the inference worker; ONNX Runtime's own is bounded in WebAssembly pages. */
export const WORKER_HEAP_MB: number = 128;
export const WORKER_YOUNG_HEAP_MB: number = 16;
export const WORKER_STACK_MB: number = 4;

// Guard
export const FEATURES_MAX: number = 4_096;
export const CLASSES_MAX: number = 4_096;
export const CALIBRATION_ROWS_MAX: number = 1_000_000;
/** Of one statistic of the reference frames; more are thinned out evenly. */
export const REFERENCE_QUANTILES_MAX: number = 1_024;
/** Wider features are projected for the detectors that whiten or compare them. */
export const UNPROJECTED_FEATURES_MAX: number = 256;
/** To so many directions. */
export const PROJECTED_FEATURES: number = 128;
/** Principal directions of ViM: with the widest features they fill half of a policy. */
export const VIM_COMPONENTS_MAX: number = 256;
/** Fit rows that a policy may carry as samples, where its maker asks for it. */
export const KNN_BANK_ROWS_MAX: number = 2_000;
/** Groups of output values that are judged apart. */
export const OUTPUT_GROUPS_MAX: number = 256;
/** Of a detection model, counted one by one. */
export const DETECTED_CLASSES_MAX: number = 256;
/** Of all statistics of the input together, on the reference frames. */
export const INPUT_REFERENCE_VALUES_MAX: number = 2 ** 18;
export const INPUT_CHANNELS_MAX: number = 64;
/** An input of one axis with more entries is no row of a table, but a window of samples. */
export const TABLE_COLUMNS_MAX: number = 1_000;
/** An image of so many values is looked at whole for its statistics; of a larger one, some lines. */
export const IMAGE_VALUES_WHOLE: number = 1_024;
/** Digests of frames that are remembered, to know one that comes again. */
export const REPLAY_FRAMES_MAX: number = 4096;
export const SENSOR_LINES_MAX: number = 65_536;
/** Frames in which changes of the label are counted. */
export const FLIP_WINDOW_MAX: number = 4096;
export const FROZEN_FRAMES_MAX: number = 1_000;
/** Classes beyond it share a group in the bet on how often they come. */
export const CLASS_GROUPS_MAX: number = 64;
export const DRIFT_STATE_BYTES_MAX: number = 4096;
/** Of the perturbation tripwire: one frame in so many is sampled at least. */
export const PROBE_SAMPLING_MAX: number = 1_000_000;
export const PROBES_PER_MINUTE_MAX: number = 60_000;
export const REASONS_MAX: number = 32;
/** A released output stands in for a missing one for a day at most, whatever the settings say. */
export const LAST_GOOD_AGE_MS_MAX: number = 86_400_000;
/** Numbers in one declared safe output; a detection head has some ten thousand. */
export const SAFE_OUTPUT_VALUES_MAX: number = 65_536;

// Callers
export const PRINCIPAL_CHARS_MAX: number = 128;
/** Records of callers; whoever comes when there are so many shares one with the rest. */
/** The same finding about one caller is an event this often. */
export const CALLER_EVENT_PERIOD_MS: number = 60_000;
export const CALLERS_MAX: number = 64;
/** Of them kept free for principals that the signed policy names. */
export const CALLERS_DECLARED_MAX: number = 32;
/** Frames that are remembered of one caller, of at most 64 values each. */
export const CALLER_FRAMES_MAX: number = 64;
/** Of rates, bursts and budgets. */
export const CALLER_QUERIES_MAX: number = 1_000_000_000;
/** Of periods, windows and quarantines: a month. */
export const CALLER_PERIOD_MS_MAX: number = 2_678_400_000;
/** All records; the frames are not written. */
export const CALLER_STATE_BYTES_MAX: number = 64 * 1024;
/** Calibration rows that are compared with each other, every one with every other. */
export const CALLER_REFERENCE_ROWS_MAX: number = 4_096;

/** How long a frame may be held for a person. */
export const HOLD_MS_MAX: number = 600_000;
/** Frames that may be held at a time: each keeps the outputs of the model. */
export const HOLDS_MAX: number = 64;

// Operators
/** One signed act; with its signature it has some 300 bytes. */
export const OPERATOR_ACT_BYTES_MAX: number = 1024;
/** Of the record of counters, one for each operator key that ever acted. */
export const OPERATOR_RECORD_BYTES_MAX: number = 16 * 1024;

// Telemetry
export const ENVELOPE_BYTES_MAX: number = 64 * 1024;
export const QUEUE_MESSAGES_MAX: number = 1_024;
export const QUEUE_BYTES_MAX: number = 4 * 1024 * 1024;
export const IN_FLIGHT_MAX: number = 16;
export const HEALTH_PERIOD_MS: number = 60_000;
export const BACKOFF_FIRST_MS: number = 1_000;
export const BACKOFF_MAX_MS: number = 300_000;
export const BACKOFF_STABLE_MS: number = 60_000;
/** How much a collector remembers of one device's chain. */
export const CHAIN_HASHES_MAX: number = 256;
export const CHAIN_EPOCHS_MAX: number = 8;

// Uplink
/** From the first packet of a connection to the broker's answer. */
export const CONNECT_DEADLINE_MS: number = 15_000;
/** A broker that does not acknowledge for so long is taken for gone. */
export const PUBACK_DEADLINE_MS: number = 20_000;
export const CLOSE_DEADLINE_MS: number = 3_000;
export const KEEPALIVE_SECONDS: number = 30;
/** Of packets from the broker: this client is sent acknowledgements only. */
export const INBOUND_PACKET_BYTES_MAX: number = 64 * 1024;

// Rollback floor
/**
 * How far above its floor a security version may be installed. It leaves room for dates and Unix
 * seconds, and 2^21 such steps until 2^53 - 1, where no later release could be told from an older.
 */
export const SECURITY_VERSION_STEP_MAX: number = 2 ** 32;
/** How far above the recorded one a revocation list may stand, for the same reason. */
export const REVOCATION_STEP_MAX: number = 2 ** 16;
export const FLOORS_MAX: number = 64;
export const FLOOR_BYTES_MAX: number = 128 * 1024;
/** One call of a tool of the system; a real TPM takes up to a second. */
export const TOOL_DEADLINE_MS: number = 10_000;
export const TOOL_OUTPUT_BYTES_MAX: number = 16 * 1024;

// Session
/** A device in SAFE tries to heal itself at most this often. */
export const SELF_TEST_PAUSE_MS: number = 10_000;

// Reporting
/** Events at once, and how fast that allowance comes back. */
export const EVENT_BURST_MAX: number = 64;
export const EVENT_REFILL_MS: number = 1_000;

// Command line
/** A frame file younger than this that cannot be read may still be written. */
export const FRAME_SETTLE_MS: number = 1_000;
export const FRAME_LINE_CHARS_MAX: number = 16 * 1024 * 1024;

// The maker's own machine
export const MAKER_DEADLINE_MS: number = 120_000;
/** A bundle to which signatures are added is held whole: what was verified is what is written. */
export const SIGNING_BUNDLE_BYTES_MAX: number = 1024 * 1024 * 1024;

// Recorded inputs
/** Images in one folder with its subfolders, and other names beside them. */
export const RECORDED_FILES_MAX: number = 2 ** 18;
export const IMAGE_FILE_BYTES_MAX: number = 64 * 1024 * 1024;
export const IMAGE_PIXELS_MAX: number = 2 ** 24;
/** Chunks or segments that an image is made of; what else a file holds is not kept. */
export const IMAGE_PARTS_MAX: number = 2 ** 14;
/** An encoder writes ten; each passes over all blocks, however few bytes it has. */
export const JPEG_SCANS_MAX: number = 64;
/** What the decoder may ask for at once: some 20 bytes a pixel. */
export const JPEG_MEMORY_MB_MAX: number = 512;
export const CSV_FILE_BYTES_MAX: number = 256 * 1024 * 1024;
/** A number, or the name of a column. */
export const CSV_FIELD_BYTES_MAX: number = 256;

// Scan of a model
/** Protobuf fields of one model, at all levels. */
export const SCAN_FIELDS_MAX: number = 2 ** 21;
/** Messages inside messages. */
export const SCAN_NESTING_MAX: number = 64;
/** Graphs inside graphs that pass without a finding: a condition inside a loop. */
export const SCAN_LOOP_DEPTH_MAX: number = 2;
/** Of all `metadata_props` in a model together. */
export const SCAN_METADATA_BYTES_MAX: number = 1024 * 1024;
/** Of each code; more are counted only. */
export const SCAN_FINDINGS_LISTED_MAX: number = 16;

// Sealed state
/** What the guard has seen is written so often at most: a card is worn by each write. */
export const SEALED_STATE_PERIOD_MS: number = 900_000;
export const SEALED_STATE_BYTES_MAX: number = 256 * 1024;
export const SEALED_PARTS_MAX: number = 8;

// Slots
export const BOOT_RECORD_BYTES_MAX: number = 4096;
/** Boots that a release on trial has to prove itself in. */
export const TRIAL_ATTEMPTS: number = 3;
/** Names that are looked at in the folder of one slot. */
export const SLOT_FILES_MAX: number = 256;

/** How long a boot waits for a command that is changing the slots. */
export const SLOTS_LOCK_WAIT_MS = 30_000;
/** What an install from a stream waits for bytes beyond its pace: less than a boot waits for it. */
export const STREAM_GRACE_MS: number = 20_000;
export const STREAM_BYTES_PER_S_MIN: number = 4096;

/** How often the device asks whether a golden vector is due. */
export const CANARY_TICK_MS = 1000;

/** Of the WASM kernels: every whitener, centre and bank of a policy, laid out for them. */
export const KERNEL_MEMORY_BYTES_MAX: number = 64 * 1024 * 1024;
