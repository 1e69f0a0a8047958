// sparse-opencv.cpp - one network in OpenCV's DNN module, timed in turns with others (turns.h)
//
// sparse-opencv <cfg> <weights> <threads> <width> <height> <channels>: batch 1. Status 3: OpenCV does not read that cfg.
#include "turns.h"

#include <opencv2/dnn.hpp>

struct subject {
    cv::dnn::Net net;
    cv::Mat image;
    std::vector<cv::String> names;
    std::vector<cv::Mat> outputs;
};

static void predict(void *context)
{
    subject *s = (subject *)context;
    s->net.setInput(s->image);
    s->net.forward(s->outputs, s->names);
}

int main(int argc, char **argv)
{
    if (argc < 7) return 2;
    cv::setNumThreads(std::atoi(argv[3]));
    int sizes[4] = {1, std::atoi(argv[6]), std::atoi(argv[5]), std::atoi(argv[4])};
    subject s;
    s.image = cv::Mat(4, sizes, CV_32F);
    cv::randu(s.image, 0, 1);
    try {
        s.net = cv::dnn::readNetFromDarknet(argv[1], argv[2]);
        s.net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
        s.names = s.net.getUnconnectedOutLayersNames();
        return take_turns(predict, nullptr, &s);
    } catch (const cv::Exception &fault) {
        std::fprintf(stderr, "%s\n", fault.what());
        return 3;
    }
}
