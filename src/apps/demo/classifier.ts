/** A small classifier, Gemm - Relu - Gemm, and its seeded training by stochastic gradient descent. */
import { exponential, type SeededRandom } from './exact-math.ts';

export interface Classifier {
  readonly inputs: number;
  readonly hidden: number;
  readonly classes: number;
  /** hidden x inputs, row-major. */
  readonly hiddenWeights: Float32Array;
  readonly hiddenBias: Float32Array;
  /** classes x hidden, row-major. */
  readonly outputWeights: Float32Array;
  readonly outputBias: Float32Array;
}

export interface Example {
  readonly input: Float64Array;
  readonly label: number;
}

export interface Training {
  readonly hidden: number;
  readonly classes: number;
  /**
   * Where the bias of each hidden unit starts. Above 0 most units are active on most inputs, the
   * features keep a steady norm, and scores on f / ||f|| see what the logits ignore.
   */
  readonly hiddenBias: number;
  readonly epochs: number;
  readonly batch: number;
  /** Falls to zero in a straight line over the epochs. */
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

/**
 * Cross-entropy and momentum; the order of the examples and the first weights come from `random`.
 * Inputs are brought to mean 0 and standard deviation 1 while training; the classifier that comes
 * out takes them as they are.
 */
export function trainClassifier(
  examples: readonly Example[],
  training: Training,
  random: SeededRandom,
): Classifier {
  const inputs = examples[0]?.input.length ?? 0;
  const scaling = scalingOf(examples, inputs);
  const scaled = examples.map(({ input, label }) => {
    return { input: input.map((value, i) => scaledValue(scaling, value, i)), label };
  });
  const { hidden, classes } = training;
  const layers: Layers = [
    layer(inputs, hidden, training.hiddenBias, random),
    layer(hidden, classes, 0, random),
  ];
  const order = scaled.map((_, i) => i);
  for (let epoch = 0; epoch < training.epochs; epoch++) {
    shuffle(order, random);
    const rate = training.learningRate * (1 - epoch / training.epochs);
    for (let start = 0; start < order.length; start += training.batch) {
      const batch = order.slice(start, start + training.batch);
      for (const index of batch) backward(layers, scaled[index] as Example);
      for (const each of layers) update(each, rate, batch.length, training);
    }
  }
  return unscaled(layers, scaling);
}

/** The index of the largest logit. */
export function classify(net: Classifier, input: Float64Array): number {
  const features = new Float64Array(net.hidden);
  affine(net.hiddenWeights, net.hiddenBias, input, features);
  for (let i = 0; i < net.hidden; i++) features[i] = Math.max(0, features[i] as number);
  const logits = new Float64Array(net.classes);
  affine(net.outputWeights, net.outputBias, features, logits);
  return logits.indexOf(logits.reduce((max, value) => Math.max(max, value), -Infinity));
}

interface Layer {
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  /** Sums over the batch, then moving averages with the momentum. */
  readonly weightGradient: Float64Array;
  readonly biasGradient: Float64Array;
  readonly weightStep: Float64Array;
  readonly biasStep: Float64Array;
  readonly out: Float64Array;
  readonly outGradient: Float64Array;
}

type Layers = readonly [Layer, Layer];

/** Uniform first weights of variance 2 / inputs (He et al. 2015). */
function layer(inputs: number, outputs: number, bias: number, random: SeededRandom): Layer {
  const limit = Math.sqrt(6 / inputs);
  const weights = new Float64Array(inputs * outputs).map(() => random.between(-limit, limit));
  return {
    weights,
    bias: new Float64Array(outputs).fill(bias),
    weightGradient: new Float64Array(weights.length),
    biasGradient: new Float64Array(outputs),
    weightStep: new Float64Array(weights.length),
    biasStep: new Float64Array(outputs),
    out: new Float64Array(outputs),
    outGradient: new Float64Array(outputs),
  };
}

function affine(
  weights: Float64Array | Float32Array,
  bias: Float64Array | Float32Array,
  input: Float64Array,
  out: Float64Array,
): void {
  for (let o = 0; o < out.length; o++) {
    let sum = bias[o] as number;
    const row = o * input.length;
    for (let i = 0; i < input.length; i++)
      sum += (weights[row + i] as number) * (input[i] as number);
    out[o] = sum;
  }
}

/** Adds one example's gradient to both layers. */
function backward([first, second]: Layers, { input, label }: Example): void {
  affine(first.weights, first.bias, input, first.out);
  for (let h = 0; h < first.out.length; h++) first.out[h] = Math.max(0, first.out[h] as number);
  affine(second.weights, second.bias, first.out, second.out);

  const max = second.out.reduce((most, value) => Math.max(most, value), -Infinity);
  const weights = second.out.map((value) => exponential(value - max));
  const total = weights.reduce((sum, value) => sum + value, 0);
  for (let c = 0; c < weights.length; c++) {
    second.outGradient[c] = (weights[c] as number) / total - (c === label ? 1 : 0);
  }
  first.outGradient.fill(0);
  for (let c = 0; c < weights.length; c++) {
    const slope = second.outGradient[c] as number;
    for (let h = 0; h < first.out.length; h++) {
      const at = c * first.out.length + h;
      if ((first.out[h] as number) === 0) continue;
      first.outGradient[h] =
        (first.outGradient[h] as number) + slope * (second.weights[at] as number);
    }
  }
  accumulate(second, first.out);
  accumulate(first, input);
}

function accumulate(to: Layer, input: Float64Array): void {
  for (let o = 0; o < to.out.length; o++) {
    const slope = to.outGradient[o] as number;
    if (slope === 0) continue;
    to.biasGradient[o] = (to.biasGradient[o] as number) + slope;
    const row = o * input.length;
    for (let i = 0; i < input.length; i++) {
      const at = row + i;
      to.weightGradient[at] = (to.weightGradient[at] as number) + slope * (input[i] as number);
    }
  }
}

function update(of: Layer, rate: number, batch: number, training: Training): void {
  const { momentum, weightDecay } = training;
  descend(of.weights, of.weightGradient, of.weightStep, rate / batch, momentum, rate * weightDecay);
  descend(of.bias, of.biasGradient, of.biasStep, rate / batch, momentum, 0);
}

function descend(
  values: Float64Array,
  gradient: Float64Array,
  step: Float64Array,
  rate: number,
  momentum: number,
  decay: number,
): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    const next = momentum * (step[i] as number) - rate * (gradient[i] as number) - decay * value;
    step[i] = next;
    values[i] = value + next;
    gradient[i] = 0;
  }
}

/** Fisher and Yates. */
function shuffle(order: number[], random: SeededRandom): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
}

interface Scaling {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

function scalingOf(examples: readonly Example[], inputs: number): Scaling {
  const mean = new Float64Array(inputs);
  const deviation = new Float64Array(inputs);
  for (let i = 0; i < inputs; i++) {
    const column = examples.map(({ input }) => input[i] as number);
    const average = column.reduce((sum, value) => sum + value, 0) / column.length;
    const square = column.reduce((sum, value) => sum + (value - average) * (value - average), 0);
    mean[i] = average;
    deviation[i] = Math.sqrt(square / column.length);
  }
  return { mean, deviation };
}

function scaledValue({ mean, deviation }: Scaling, value: number, i: number): number {
  return (value - (mean[i] as number)) / (deviation[i] as number);
}

/** Folds the scaling into the first layer: W (x - m) / s + b = (W / s) x + (b - W m / s). */
function unscaled([first, second]: Layers, { mean, deviation }: Scaling): Classifier {
  const inputs = mean.length;
  const hidden = first.bias.length;
  const hiddenWeights = first.weights.map((value, i) => value / (deviation[i % inputs] as number));
  const hiddenBias = first.bias.map((value, h) => {
    const row = hiddenWeights.subarray(h * inputs, (h + 1) * inputs);
    return value - row.reduce((sum, weight, i) => sum + weight * (mean[i] as number), 0);
  });
  return {
    inputs,
    hidden,
    classes: second.bias.length,
    hiddenWeights: Float32Array.from(hiddenWeights),
    hiddenBias: Float32Array.from(hiddenBias),
    outputWeights: Float32Array.from(second.weights),
    outputBias: Float32Array.from(second.bias),
  };
}
