"""A quantised graph as a .tflite file: ``operators`` tell it in TensorFlow Lite's, ``file`` writes the flatbuffer."""
