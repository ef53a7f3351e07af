"""Steps of SGD by transformers + PEFT, from an adapter folder on a GGUF base in F32 (peft_logits.py says how it is read).

    peft_train.py MODEL.gguf ADAPTER_FOLDER '[[1,2,3],[4,5]]' STEPS RATE OUT_FOLDER

All sequences are one batch; the loss is the mean over all tokens but the first of each. Prints the losses before every step as a JSON list.
"""
import json
import sys

import torch
from peft import PeftModel

from peft_logits import read_model


def main() -> None:
    path, adapter, sequences, steps, rate, out = sys.argv[1:7]
    torch.set_num_threads(1)  # the model is tiny
    model = PeftModel.from_pretrained(read_model(path), adapter, is_trainable=True).eval()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=float(rate))
    losses = []
    for _ in range(int(steps)):
        total, count = 0.0, 0
        for ids in json.loads(sequences):
            logits = model(torch.tensor([ids])).logits[0, :-1]
            total = total + torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum")
            count += len(ids) - 1
        loss = total / count
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(out)
    print(json.dumps(losses))


main()
