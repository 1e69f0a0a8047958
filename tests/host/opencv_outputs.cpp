// opencv_outputs.cpp - prints what a network gives in OpenCV's DNN module, one number a line
//
// opencv_outputs <cfg> <weights>: all outputs that no layer reads, after a line "blob <n>" each, for the first image of outputs.c. Status 3:
// OpenCV does not read that cfg.
#include <cstdio>
#include <opencv2/dnn.hpp>

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    cv::setNumThreads(1);
    cv::dnn::Net net;
    int w = 0, h = 0, c = 0;
    std::FILE *cfg = std::fopen(argv[1], "r");
    if (!cfg) return 1;
    char line[4096];
    for (int sections = 0; std::fgets(line, sizeof line, cfg);) {
        if (line[0] == '[' && ++sections > 1) break;
        std::sscanf(line, " width = %d", &w);
        std::sscanf(line, " height = %d", &h);
        std::sscanf(line, " channels = %d", &c);
    }
    std::fclose(cfg);
    try {
        net = cv::dnn::readNetFromDarknet(argv[1], argv[2]);
        net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
        int sizes[4] = {1, c, h, w};
        cv::Mat image(4, sizes, CV_32F);
        unsigned state = 1;
        float *values = image.ptr<float>();
        for (int i = 0; i < c * h * w; i++) {
            state = state * 1664525U + 1013904223U;
            values[i] = (float)(state >> 8) / (float)(1 << 24);
        }
        net.setInput(image);
        std::vector<cv::Mat> outputs;
        net.forward(outputs, net.getUnconnectedOutLayersNames());
        for (const cv::Mat &output : outputs) {
            std::printf("blob %zu\n", output.total());
            for (size_t i = 0; i < output.total(); i++) std::printf("%.9g\n", (double)output.ptr<float>()[i]);
        }
    } catch (const cv::Exception &fault) {
        std::fprintf(stderr, "%s\n", fault.what());
        return 3;
    }
    return 0;
}
