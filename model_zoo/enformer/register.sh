#!/bin/sh
# Make the entry of the published Enformer. Nothing is fetched.
#
#   sh model_zoo/enformer/register.sh TARGETS [ZOO]
#
# TARGETS is a folder with targets_human.txt and targets_mouse.txt, as published in
# calico/basenji, manuscripts/cross2020 (Apache-2.0); ZOO gets enformer/official.
set -eu
targets=$1
zoo=${2:-model_zoo}
repository=EleutherAI/enformer-official-rough
revision=affe5713ae9017460706a44108289b13c5fee16c

ft-s2a zoo register "$zoo/enformer/official" --overwrite \
    --weights "https://huggingface.co/$repository/resolve/$revision/pytorch_model.bin" \
    --mirror-path "$repository/pytorch_model.bin" --format enformer-pytorch \
    --config enformer --transform basenji2020 \
    --targets "human=$targets/targets_human.txt" --targets "mouse=$targets/targets_mouse.txt" \
    --sha256 99b09d602e195d89c7d4debe144bb2f43907ba0d74006e97098e99d9171c439c --bytes 1005149571 \
    --summary 'The published Enformer: the DNase, ATAC, ChIP and CAGE tracks of Basenji2, human and mouse.' \
    --species 'Homo sapiens and Mus musculus' --assembly 'hg38 and mm10' \
    --license CC-BY-4.0 \
    --author 'Žiga Avsec' --author 'Vikram Agarwal' --author 'Daniel Visentin' \
    --author 'Joseph R. Ledsam' --author 'Agnieszka Grabska-Barwinska' --author 'Kyle R. Taylor' \
    --author 'Yannis Assael' --author 'John Jumper' --author 'Pushmeet Kohli' \
    --author 'David R. Kelley' \
    --citation "Avsec Ž, Agarwal V, Visentin D, et al. (2021) Effective gene expression prediction from sequence by integrating long-range interactions. Nature Methods 18: 1196-1203, doi 10.1038/s41592-021-01252-x. Weights: DeepMind's, as converted to PyTorch in $repository. Target tables: calico/basenji, manuscripts/cross2020." \
    --procedure 'Trained by its authors on human and mouse with the data of Basenji2 (Kelley 2020); see the paper.' \
    --limitation 'The weights were never downloaded here: their hash and size are from public records.' \
    --limitation "The weights need the position features of the TensorFlow network, in a form that differs from enformer-pytorch's own at the same name; they are computed here for any length, and agree at 1,536 bins with the table that enformer-pytorch 0.8.12 carries." \
    --limitation 'A window is 196,608 bp, what the network sees; the release on TensorFlow Hub asks for 393,216 bp.' \
    --limitation "Observed units are those of the authors' coverage files, which are not public: bigWigs of predictions are comparable with each other, and with other files after scaling." \
    --limitation 'One entry holds both genomes: name the head of the genome that is predicted. With Kipoi all tracks of both are predicted, of which those of the other genome mean nothing.' \
    --limitation 'The licence is that on the model card of the weights, at the revision that is fetched; the target tables are from calico/basenji (Apache-2.0).' \
    --validation 'The loader was compared with enformer-pytorch 0.8.12 on random weights of the same layout, scaled down, and on the names and shapes of all tensors at full size. No prediction of the published weights was compared with anything.'
