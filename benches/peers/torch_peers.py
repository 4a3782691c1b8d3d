"""PyTorch: `by-hand`, equations written out with updates of rank 1 in place, and `autograd`."""

import sys

import torch
import torch.nn.functional as F

import worker


class Peer:
    def __init__(self, inputs):
        self.inputs = inputs
        self.beta = float(inputs.beta)
        x, labels = (array[0] for array in inputs.training([0], inputs.setting["online"]["steps"]))
        # Sliced into tensors beforehand: indexing one row at a time would be a good part of a step.
        self.images = list(torch.from_numpy(x))
        self.labels = list(torch.from_numpy(labels))
        self.onehots = list(F.one_hot(torch.from_numpy(labels), 10).float())

    def prepare(self, work):
        kind, network, *_ = work.split("/")
        if kind == "evaluation":
            return self.evaluation(network), list
        feedback, theta = self.inputs.rule(work)
        start = [torch.from_numpy(w[0]) for w in self.inputs.start(network, feedback, [0])[0]]
        train = self.training(start, theta["gradient"], theta.get("oja", 0))
        return train, lambda weights: worker.flat([w[None] for w in weights])

    def softplus(self, z):
        return F.softplus(z, beta=self.beta)

    def evaluation(self, network):
        ends = self.inputs.file(f"online/{network}/{worker.EVALUATED}")
        weights = self.inputs.matrices(ends, self.inputs.forward_shapes(network), [0])
        weights = [torch.from_numpy(w[0]) for w in weights]
        x, labels = map(torch.from_numpy, worker.images("t10k"))

        @torch.inference_mode()
        def evaluate():
            y = x
            for w in weights[:-1]:
                y = self.softplus(y @ w.T)
            logits = y @ weights[-1].T
            return (logits.argmax(1) == labels).float().mean().item(), F.cross_entropy(logits, labels).item()

        return evaluate


class ByHand(Peer):
    def training(self, start, gradient, oja):
        @torch.inference_mode()
        def train():
            weights = [w.clone() for w in start]
            for x, onehot in zip(self.images, self.onehots):
                y, slopes = [x], []
                for w in weights[:-1]:
                    z = torch.mv(w, y[-1])
                    slopes.append(torch.sigmoid(self.beta * z))
                    y.append(self.softplus(z))
                y.append(torch.softmax(torch.mv(weights[-1], y[-1]), 0))
                e = y[-1] - onehot
                for layer in range(len(weights), 0, -1):
                    w, post, pre = weights[layer - 1], y[layer], y[layer - 1]
                    transposed = w.T
                    # Errors go down and the residual is taken before w changes.
                    below = torch.mv(transposed, e).mul_(slopes[layer - 2]) if layer > 1 else None
                    if oja:
                        residual = pre - torch.mv(transposed, post)
                        w.addr_(post, residual, alpha=oja)
                    w.addr_(e, pre, alpha=-gradient)
                    e = below
            return weights

        return train


class Autograd(Peer):
    def training(self, start, gradient, oja):
        def train():
            weights = [w.clone().requires_grad_() for w in start]
            for x, label, onehot in zip(self.images, self.labels, self.onehots):
                y = [x]
                for w in weights[:-1]:
                    y.append(self.softplus(torch.mv(w, y[-1])))
                logits = torch.mv(weights[-1], y[-1])
                gradients = torch.autograd.grad(F.cross_entropy(logits, label), weights)
                with torch.no_grad():
                    if oja:
                        y.append(torch.softmax(logits, 0))
                        for w, pre, post in zip(weights, y, y[1:]):
                            w.addr_(post, pre - torch.mv(w.T, post), alpha=oja)
                    for w, slope in zip(weights, gradients):
                        w.add_(slope, alpha=-gradient)
            return [w.detach() for w in weights]

        return train


if __name__ == "__main__":
    folder, variant = sys.argv[1:]
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    peer = {"by-hand": ByHand, "autograd": Autograd}[variant]
    worker.serve(f"PyTorch {torch.__version__}", peer(worker.Inputs(folder)).prepare)
