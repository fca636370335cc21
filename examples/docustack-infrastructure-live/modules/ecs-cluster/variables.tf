variable "name" {
  description = "Name of the cluster and prefix of the names around it."
  type        = string
}

variable "region" {
  description = "Region of the cluster."
  type        = string
}

variable "vpc_id" {
  description = "VPC in which the tasks run."
  type        = string
}

variable "vpc_cidr_block" {
  description = "Address range from which the services are reached."
  type        = string
}

variable "service_ports" {
  description = "Port on which each service accepts connections from within the VPC."
  type        = map(number)
}

variable "container_insights" {
  description = "Collect CloudWatch Container Insights, which cost extra."
  type        = bool
}

variable "log_retention_days" {
  description = "How long the services' logs are kept."
  type        = number
}

variable "placeholder_image" {
  description = "Image of the placeholder task."
  type        = string
  default     = "public.ecr.aws/nginx/nginx:1.27-alpine"
}
